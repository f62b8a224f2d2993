import { Command } from 'commander';
import { limitsDocument } from '../protocol/limits-document.js';
import { sayDocument } from './output.js';

/** `millrace limits`: what a publisher's message may hold. */
export function limitsCommand(): Command {
  return new Command('limits').description('print what a published message may hold, as Markdown').action(() => {
    sayDocument(limitsDocument());
  });
}
