#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/libtorch.js';

await runScript(command);
