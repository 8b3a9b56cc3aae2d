/** Everything that needs a worker: one database, and one deployment of all behaviours, for all of it. */

import { after } from "node:test";

import { stopSharedStack } from "../support/shared.js";

import "./building.js";
import "./tasks.js";
import "./workflows.js";
import "./network.js";
import "./client.js";
import "./examples.js";
// Last: these kill the workers.
import "./crashes.js";

after(stopSharedStack);
