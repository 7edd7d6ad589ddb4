#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/setup.js';

await runScript(command);
