/** What `process.env` is replaced by. */

export { env as currantEnvironment } from "../environment.js";
