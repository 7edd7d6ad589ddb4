#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/summary.js';

await runScript(command);
