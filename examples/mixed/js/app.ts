/** The part in JavaScript: what the customer is told. */

import { task } from "currant";

/** Writes to a customer: what the goods cost, in cents, or why there is nothing to pay. */
export const letter = task(async (customer: string, total: number, excuse?: string | null) => {
  const news = excuse == null ? `that makes ${(total / 100).toFixed(2)}. Thank you!` : `${excuse}. Sorry!`;
  return `Dear ${customer},\n\n${news}\n`;
});
