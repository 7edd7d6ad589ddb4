#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/demo.js';

await runScript(command);
