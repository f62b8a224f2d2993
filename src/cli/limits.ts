import { Command } from 'commander';
import { limitsDocument } from '../protocol/limits-document.js';

/** `millrace limits`: what a publisher's message may hold. */
export function limitsCommand(): Command {
  return new Command('limits').description('print what a published message may hold, as Markdown').action(() => {
    process.stdout.write(limitsDocument());
  });
}
