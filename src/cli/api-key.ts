import { Command, Option } from 'commander';
import { type ApiKeyEntry, changeApiKeyFile, newApiKey, readApiKeyFile } from '../auth/api-key-file.js';
import { apiKeyIdOf } from '../auth/api-key-text.js';
import type { Use } from '../auth/declared-use.js';
import { ConfigError } from '../config/config-error.js';
import type { Tier } from '../protocol/view-options.js';
import {
  entitlementOption,
  firmOption,
  professionalOption,
  roleOption,
  subOption,
  tierOption,
  ttlMs,
  useOption,
} from './credential-options.js';
import { CommandFailure, reasonOf } from './failure.js';
import { note, say } from './output.js';

const EXAMPLES = `
The file is the one that AUTH_API_KEYS_FILE names; running gateways reread it within seconds.

Examples:
  $ KEY=$(millrace api-key create --sub desk-7 --tier institutional --role trader --ttl 90d --file keys.json)
  $ millrace api-key list --file keys.json
  $ millrace api-key remove k_0123456789abcdef --file keys.json`;

interface CreateOptions {
  readonly sub: string;
  readonly tier: Tier;
  readonly role: readonly string[];
  readonly entitlement?: readonly string[];
  readonly firm?: string;
  readonly professional?: boolean;
  readonly use?: Use;
  readonly ttl?: number;
  readonly file: string;
}

/** `millrace api-key`: creates, lists and removes the keys of one file. */
export function apiKeyCommand(): Command {
  return new Command('api-key')
    .description('create, list and remove API keys')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand())
    .addHelpText('after', EXAMPLES);
}

function createCommand(): Command {
  return new Command('create')
    .description('create a key and print it once; the file keeps only its hash')
    .addOption(subOption())
    .addOption(tierOption())
    .addOption(roleOption())
    .addOption(entitlementOption())
    .addOption(firmOption())
    .addOption(professionalOption())
    .addOption(useOption())
    .addOption(new Option('--ttl <duration>', 'how long it is valid: 1h, 90d (default: no expiry)').argParser(ttlMs))
    .addOption(fileOption('created if there is none'))
    .action(async (options: CreateOptions) => {
      const { file, sub } = options;
      const { id, key, hash } = newApiKey();
      await change(file, (entries = []) => [...entries, entryOf(id, hash, options)]);
      say(key);
      note(`${id} of ${sub} is in ${file}. The key itself is not stored: keep it now.`);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('list the keys of a file, one per line: id, user, tier, roles, entitlements, expiry')
    .addOption(fileOption())
    .action(async ({ file }: { file: string }) => {
      const entries = await readApiKeyFile(shown(file), file);
      const nowMs = Date.now();
      for (const entry of entries) say(lineOf(entry, nowMs));
    });
}

function removeCommand(): Command {
  return new Command('remove')
    .description('remove a key')
    .argument('<id>', 'id of the key, or the key')
    .addOption(fileOption())
    .action(async (text: string, { file }: { file: string }) => {
      const id = apiKeyIdOf(text);
      // Not shown: it may be most of a key.
      if (id === undefined) throw new CommandFailure('<id>: must be the id of a key, k_…, or a key');
      await change(file, entries => {
        if (entries === undefined) throw new ConfigError(`${shown(file)}: no such file`);
        const others = entries.filter(entry => entry.id !== id);
        if (others.length === entries.length) throw new CommandFailure(`${shown(file)}: has no key ${id}`);
        return others;
      });
      note(`removed ${id} from ${file}.`);
    });
}

function fileOption(more?: string): Option {
  const text = more === undefined ? 'the file of key hashes' : `the file of key hashes; ${more}`;
  return new Option('--file <file>', text).makeOptionMandatory();
}

function entryOf(id: string, hash: string, options: CreateOptions): ApiKeyEntry {
  const { sub, tier, role, entitlement, firm, professional, use, ttl } = options;
  const now = Date.now();
  return {
    id,
    hash,
    sub,
    tier,
    roles: [...role],
    ...(entitlement === undefined ? {} : { entitlements: [...entitlement] }),
    ...(firm === undefined ? {} : { firm }),
    ...(professional === undefined ? {} : { professional }),
    ...(use === undefined ? {} : { use }),
    ...(ttl === undefined ? {} : { expires_at: new Date(now + ttl).toISOString() }),
    created_at: new Date(now).toISOString(),
  };
}

function lineOf(entry: ApiKeyEntry, nowMs: number): string {
  const { id, sub, tier, roles, entitlements, expires_at } = entry;
  const ended = expires_at !== undefined && Date.parse(expires_at) <= nowMs;
  const end = expires_at === undefined ? 'without end' : `${ended ? 'expired' : 'until'} ${expires_at}`;
  const granted = entitlements === undefined ? 'the default entitlements' : listed('entitlements', entitlements);
  return `${id}  ${sub}  ${tier}  ${listed('roles', roles)}  ${granted}  ${end}`;
}

function listed(what: string, items: readonly string[]): string {
  return items.length === 0 ? `no ${what}` : `${what} ${items.join(',')}`;
}

async function change(
  file: string,
  toEntries: (entries: readonly ApiKeyEntry[] | undefined) => readonly ApiKeyEntry[],
): Promise<void> {
  try {
    await changeApiKeyFile(shown(file), file, toEntries);
  } catch (cause) {
    if (cause instanceof ConfigError || cause instanceof CommandFailure) throw cause;
    throw new CommandFailure(`${shown(file)}: cannot be written (${reasonOf(cause)})`, { cause });
  }
}

function shown(file: string): string {
  return `--file=${JSON.stringify(file)}`;
}
