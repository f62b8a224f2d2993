/** What the commands that change the keys of pseudonyms share: the keys, who orders, and the record of the order. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, InvalidArgumentError, Option } from 'commander';
import { readConfig } from '../../config/environment.js';
import { checkTrustedFileNow } from '../../config/secret-files.js';
import { withFiles } from '../../config/settings-files.js';
import { clientAddressOf } from '../../gateway/edge/client-address.js';
import { ERASE_AFTER_FILE, notedEraseAfter } from '../../journal/privacy/erase-policy.js';
import { KEYS_FOLDER } from '../../journal/privacy/key-wrap.js';
import { masterKeysOf } from '../../journal/privacy/master-key-file.js';
import { appendOrder, type KeyOrder } from '../../journal/privacy/order-file.js';
import { KeysBusyError, SubjectKeys } from '../../journal/privacy/subject-keys.js';
import type { SubjectKind } from '../../journal/privacy/subject-line.js';
import { isUser } from '../../protocol/user-subject.js';
import { WallClock } from '../../protocol/wall-clock.js';
import { CommandFailure, reasonOf } from '../failure.js';
import { userName } from '../user-name.js';

const SETTINGS = ['JOURNAL_DIR', 'JOURNAL_MASTER_KEY_FILE', 'JOURNAL_RETENTION', 'JOURNAL_ERASE_AFTER'] as const;
/** Of an address, in place of the address. */
const PSEUDONYM = /^a_[\w-]{22}$/;
const ATTEMPTS_MAX = 50;
const ATTEMPT_MS = 100;

/** A user or an address, as the command line names it. */
export type Subject = readonly [kind: SubjectKind, text: string];

/** What `new OwnKeys` takes. */
export const folderArgument = (): Argument => new Argument('[dir]', 'folder of the journal (default: JOURNAL_DIR)');
export const userOption = (): Option =>
  new Option('--user <id>', 'the user, as in the credential, or a pseudonym (u_…)');
export const addressOption = (): Option =>
  new Option('--address <address>', 'an address of a client, or a pseudonym (a_…); repeat for several').argParser(
    (text: string, before: readonly string[] = []) => {
      const address = PSEUDONYM.test(text) ? text : clientAddressOf(text.replace(/\/64$/, ''));
      if (address === '') throw new InvalidArgumentError('It must be an IP address, or its pseudonym (a_…).');
      return [...before, address];
    },
  );

interface Named {
  readonly user?: string;
  readonly address?: readonly string[];
}

/** @throws {CommandFailure} when none is named, or the user cannot be one */
export function subjectsOf({ user, address = [] }: Named): readonly Subject[] {
  if (user === undefined && address.length === 0) throw new CommandFailure('name --user, --address or both');
  if (user !== undefined && !isUser(user)) throw new CommandFailure('--user: no user has this name');
  const users: readonly Subject[] = user === undefined ? [] : [['user', user]];
  return [...users, ...address.map((one): Subject => ['address', one])];
}

export class OwnKeys {
  /** How long records must stay attributable, ms: as these settings say, or else those of the gateway. */
  readonly eraseAfterMs: number;
  readonly keys: SubjectKeys;
  readonly #folder: string;
  readonly #clock = new WallClock();

  /**
   * Opens the keys of a journal.
   * @param given its folder; undefined: JOURNAL_DIR
   * @throws {CommandFailure} when there are none, or they do not open
   */
  constructor(given?: string) {
    const env = withFiles(process.env);
    const settings = Object.fromEntries(SETTINGS.map(name => [name, env[name]]));
    const { journal } = readConfig({ ...settings, JOURNAL_DIR: given ?? env.JOURNAL_DIR });
    if (journal === undefined)
      throw new CommandFailure('set JOURNAL_DIR and JOURNAL_MASTER_KEY_FILE, as for the gateway');
    const { folder, masterKeyFile } = journal;
    this.eraseAfterMs = journal.eraseAfterMs ?? noted(folder);
    this.#folder = join(folder, KEYS_FOLDER);
    // With a misspelt folder, keys would be created, and the command would report that the user is unknown.
    if (!existsSync(this.#folder)) throw new CommandFailure(`${folder} has no keys of pseudonyms`);
    const masters = () => {
      checkTrustedFileNow('JOURNAL_MASTER_KEY_FILE', masterKeyFile);
      return masterKeysOf(journal, this.#folder);
    };
    try {
      this.keys = new SubjectKeys({ folder: this.#folder, masters, nowMs: () => this.#clock.nowMicros() / 1000 });
    } catch (cause) {
      throw new CommandFailure(`master key ${masterKeyFile}: ${reasonOf(cause)}`, { cause });
    }
  }

  /** Leaves a record of an order for the gateway, which writes it to the journal. */
  record(order: Omit<KeyOrder, 't' | 'k' | 'by' | 'author'>): void {
    const author = this.keys.pseudonym('user', userName() || 'unknown');
    this.keys.sync();
    appendOrder(this.#folder, { t: Math.round(this.#clock.nowMicros()), k: 'admin', by: 'command', author, ...order });
  }

  /** Retries while another process changes the keys. @throws {CommandFailure} after the last attempt */
  async change<T>(act: () => T): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return act();
      } catch (cause) {
        const isBusy = cause instanceof KeysBusyError && attempt < ATTEMPTS_MAX;
        if (!isBusy) throw new CommandFailure(reasonOf(cause), { cause });
      }
      await new Promise(resolve => setTimeout(resolve, ATTEMPT_MS));
    }
  }
}

function noted(folder: string): number {
  try {
    return notedEraseAfter(folder) ?? 0;
  } catch (cause) {
    const repair = 'start the gateway again, which writes it, or set JOURNAL_ERASE_AFTER';
    throw new CommandFailure(`${join(folder, ERASE_AFTER_FILE)} is damaged: ${repair}`, { cause });
  }
}
