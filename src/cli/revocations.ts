import { Command, Option } from 'commander';
import { readConfig } from '../config/environment.js';
import { withFiles } from '../config/settings-files.js';
import { fetchRevocations, type RevocationsBody } from '../revocation/listing.js';
import { CommandFailure, reasonOf } from './failure.js';
import { say } from './output.js';
import { adminAddress } from './takeover.js';

const EXAMPLES = `
One line each: what is revoked, when, until when, by whom and why. Asks a gateway's admin port, with ADMIN_TOKEN if set.

Examples:
  $ millrace revocations
  $ ADMIN_TOKEN=… millrace revocations --admin http://10.0.0.7:9090 --json`;

/** `millrace revocations`: what a gateway refuses. */
export function revocationsCommand(): Command {
  return new Command('revocations')
    .description('list the revocations in force at a gateway')
    .addOption(new Option('--admin <url>', 'its admin port (default: from ADMIN_HOST and ADMIN_PORT)'))
    .option('--json', 'as JSON, one entry per line')
    .addHelpText('after', EXAMPLES)
    .action(async ({ admin, json = false }: { admin?: string; json?: boolean }) => {
      const { ADMIN_HOST, ADMIN_PORT, ADMIN_TOKEN } = withFiles(process.env);
      const config = readConfig({ ADMIN_HOST, ADMIN_PORT, ADMIN_TOKEN });
      const at = (admin ?? adminAddress(config)).replace(/\/+$/, '');
      const entries = await list(at, config.adminToken);
      for (const entry of entries) say(json ? JSON.stringify(entry) : lineOf(entry));
    });
}

async function list(admin: string, token: string | undefined): Promise<RevocationsBody['revocations']> {
  let entries: RevocationsBody['revocations'] | undefined;
  try {
    entries = await fetchRevocations(admin, token);
  } catch (cause) {
    const { cause: deeper } = cause as Error;
    throw new CommandFailure(`${admin} does not list its revocations (${reasonOf(deeper ?? cause)})`, { cause });
  }
  if (entries === undefined) throw new CommandFailure(`${admin} has no list of revocations: its version is too old`);
  return entries;
}

function lineOf({ by, value, at, expires, author, reason }: RevocationsBody['revocations'][number]): string {
  const end = expires === undefined ? 'for good' : `until ${expires}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `${by} ${value}  ${at}  ${end}  by ${author ?? 'unknown'}${why}`;
}
