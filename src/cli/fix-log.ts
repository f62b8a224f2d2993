import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { CommandFailure } from './failure.js';
import { fixFieldsOf, fixLine } from './fix-line.js';
import { say } from './output.js';

const EXAMPLES = `
Reads messages as QuickFIX, QuickFIX/J and most other engines log them: one per line, with SOH, | or ^A between the fields.
Lines without a message are left out. Passwords are not shown.

Examples:
  $ millrace fix-log store/FIX.4.4-ME-MILLRACE.messages.current.log
  $ grep MSFT messages.log | millrace fix-log -`;

/** `millrace fix-log`: renders a log of FIX messages. */
export function fixLogCommand(): Command {
  return new Command('fix-log')
    .description('show a log of FIX messages, a readable line for each')
    .argument('<file>', 'the log; - reads standard input')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string) => {
      const input = file === '-' ? process.stdin : createReadStream(file);
      let shown = 0;
      try {
        // One character per byte: fields may hold any bytes.
        for await (const line of createInterface({ input: input.setEncoding('utf8') })) {
          const fields = fixFieldsOf(line);
          if (fields === undefined) continue;
          say(fixLine(fields));
          shown++;
        }
      } catch (cause) {
        throw new CommandFailure(`cannot read ${file}: ${(cause as Error).message}`);
      }
      if (shown === 0) throw new CommandFailure(`${file}: no FIX message found`);
    });
}
