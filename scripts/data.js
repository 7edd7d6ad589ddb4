#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/data.js';

await runScript(command);
