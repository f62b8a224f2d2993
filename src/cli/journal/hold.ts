import { Command, Option } from 'commander';
import { WallClock } from '../../protocol/wall-clock.js';
import { CommandFailure } from '../failure.js';
import { note, say } from '../output.js';
import { addressOption, folderArgument, OwnKeys, type Subject, subjectsOf, userOption } from './own-keys.js';

const REASON_LENGTH_MAX = 200;
const EXAMPLES = `
A legal hold: while it lasts, the user's key is not destroyed, and no segment is removed that may hold the user's records. It works for
a user who has never connected, too. Without options, it lists the holds. Run it on every node, with its gateway’s settings.

Examples:
  $ millrace journal hold --user alice --reason 'case 2026-17'
  $ millrace journal hold
  $ millrace journal hold --user alice --release`;

interface HoldOptions {
  readonly user?: string;
  readonly address?: readonly string[];
  readonly reason?: string;
  readonly release?: true;
}

/** `millrace journal hold`: forbids erasure and removal, or allows them again. */
export function holdCommand(): Command {
  return new Command('hold')
    .description('keep the records of a user or an address from erasure and removal')
    .addArgument(folderArgument())
    .addOption(userOption())
    .addOption(addressOption())
    .option('--reason <text>', 'why; it is recorded, so name no person in it')
    .addOption(new Option('--release', 'end the hold').conflicts('reason'))
    .addHelpText('after', EXAMPLES)
    .action(hold);
}

async function hold(given: string | undefined, options: HoldOptions): Promise<void> {
  const { reason, release } = options;
  const isList = options.user === undefined && options.address === undefined;
  if (isList && (reason !== undefined || release !== undefined)) subjectsOf(options);
  if (reason !== undefined && (reason === '' || reason.length > REASON_LENGTH_MAX))
    throw new CommandFailure(`--reason: must be 1 to ${REASON_LENGTH_MAX} characters`);
  const own = new OwnKeys(given);
  if (isList) for (const [pseudonym, held] of own.keys.holds()) say(`${pseudonym}  ${held}`);
  else for (const subject of subjectsOf(options)) await one(own, subject, options);
  own.keys.close();
}

async function one(own: OwnKeys, [kind, text]: Subject, { reason, release }: HoldOptions): Promise<void> {
  const isHold = release === undefined;
  const since = new Date(new WallClock().nowMicros() / 1000).toISOString();
  const held = isHold ? `since ${since}${reason === undefined ? '' : `: ${reason}`}` : undefined;
  const pseudonym = await own.change(() => own.keys.hold(kind, text, held));
  const result = pseudonym === undefined ? 'unknown' : 'done';
  own.record({
    what: isHold ? 'journal_hold' : 'journal_release',
    [kind]: pseudonym,
    detail: reason,
    result,
  });
  if (pseudonym !== undefined) {
    say(`${isHold ? 'holding' : 'released'} ${pseudonym}`);
    return;
  }
  note(isHold ? `this journal has no such ${kind}` : `there is no hold on this ${kind}`);
  process.exitCode = 1;
}
