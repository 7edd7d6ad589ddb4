#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/doctor.js';

await runScript(command);
