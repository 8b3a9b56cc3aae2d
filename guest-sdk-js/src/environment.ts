/** Environment variables: those that were granted at deploy. */

import { surroundings } from "./host.js";

/**
 * The variables that were granted to the module (`currant deploy … --env STRIPE_KEY`), by name. `process.env` is the same in a component. Read
 * them inside functions: when the module is loaded, nothing is granted yet.
 */
export const env: Readonly<Record<string, string | undefined>> = new Proxy(
  {},
  {
    get: (_, name) => (typeof name === "string" ? surroundings().environment()[name] : undefined),
    has: (_, name) => typeof name === "string" && name in surroundings().environment(),
    ownKeys: () => Object.keys(surroundings().environment()),
    getOwnPropertyDescriptor: (_, name) => {
      const value = typeof name === "string" ? surroundings().environment()[name] : undefined;
      return value === undefined ? undefined : { value, enumerable: true, configurable: true };
    },
  },
);
