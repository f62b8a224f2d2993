import { Command } from 'commander';
import { note, say } from '../output.js';
import { addressOption, folderArgument, OwnKeys, subjectsOf, userOption } from './own-keys.js';

const DAY_MS = 86_400_000;
const EXAMPLES = `
Destroys the key of a pseudonym: whoever has the journal and the logs of this node can no longer attribute them to the user or the
address. The records stay, and the journal stays intact. A user who returns gets a new pseudonym. It works while the gateway runs, but
end the user’s connections first: the id of an open one would link the old pseudonym to the new one. It is refused during a legal hold,
and until the last record is older than JOURNAL_ERASE_AFTER (default: JOURNAL_RETENTION, if you set it). Run it on every node, with
its gateway’s settings. ops/privacy.md lists what it does not reach.

Examples:
  $ millrace journal query --user alice --kind connected | jq -r .address | sort -u
  $ millrace journal erase --user alice --address a_Jp3cWQ0mYbq7dPz1S5x2Vg --address 203.0.113.7`;

interface EraseOptions {
  readonly user?: string;
  readonly address?: readonly string[];
}

/** `millrace journal erase`: makes records unattributable. */
export function eraseCommand(): Command {
  return new Command('erase')
    .description('destroy the key of a user’s or an address’s pseudonym')
    .addArgument(folderArgument())
    .addOption(userOption())
    .addOption(addressOption())
    .addHelpText('after', EXAMPLES)
    .action(erase);
}

async function erase(given: string | undefined, options: EraseOptions): Promise<void> {
  const subjects = subjectsOf(options);
  const own = new OwnKeys(given);
  const keepDays = Math.ceil(own.eraseAfterMs / DAY_MS);
  let erased = 0;
  for (const [kind, text] of subjects) {
    const pseudonym = own.keys.known(kind, text);
    const outcome = await own.change(() => own.keys.erase(kind, text, keepDays));
    const result = outcome.ok ? (pseudonym === undefined ? 'unknown' : 'done') : `refused: ${outcome.code}`;
    own.record({ what: 'journal_erase', [kind]: pseudonym, result });
    if (!outcome.ok) {
      note(`${pseudonym} was not erased: ${outcome.detail}`);
      process.exitCode = 1;
    } else if (pseudonym === undefined) {
      note(`this journal has no key for this ${kind}: it was never seen here, or was erased before`);
    } else {
      say(`erased ${pseudonym}`);
      erased++;
    }
  }
  own.keys.close();
  if (erased > 0)
    note(
      'Erase on every node. This does not reach backups of the keys, recordings, JetStream or FIX_STORE: see ops/privacy.md',
    );
}
