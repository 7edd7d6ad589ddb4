#!/usr/bin/env node
import { requirePackages } from './cli/start.js';

requirePackages();
await import('./cli/program.js');
