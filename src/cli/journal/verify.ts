import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type Chain, listChains, startOf } from '../../journal/chains.js';
import { splitNotes } from '../../journal/checkpoint.js';
import { type Fault, type Verdict, verifyJournal } from '../../journal/verify.js';
import { CommandFailure, reasonOf } from '../failure.js';
import { note, say } from '../output.js';
import { exitsWith2, journalFolder } from './folder.js';

/** The gateway writes its public key here. */
const PUBLIC_KEY = 'checkpoint.pub.pem';
const WHOLE = 0;
const FAULTY = 1;
const USAGE = 2;

const EXAMPLES = `
Exits with 0 if the journal is intact, 1 if something was changed, 2 if it cannot be checked. The chain of hashes finds a byte,
record, block or segment that was changed or removed. Only checkpoints kept elsewhere reveal a tail that was cut off, or a history
that an insider rewrote: give the file that holds them, and a copy of the public key that you also keep elsewhere.

Examples:
  $ millrace journal verify /var/lib/millrace/journal
  $ millrace journal verify journal --checkpoints gateway.log --key checkpoint.pub.pem --json`;

interface VerifyOptions {
  readonly key?: string;
  readonly checkpoints?: string;
  readonly json?: true;
}

interface ChainVerdict extends Verdict {
  /** '' or `takeover/`. */
  readonly chain: string;
}

/** `millrace journal verify`: whether a journal was changed. */
export function verifyCommand(): Command {
  return exitsWith2(
    new Command('verify')
      .description('prove that a journal was not changed, or say where it was')
      .argument('[dir]', 'folder of the journal (default: JOURNAL_DIR)')
      .option('--key <file>', `public key of the checkpoints (default: ${PUBLIC_KEY} in the folder)`)
      .option('--checkpoints <file>', 'checkpoints kept elsewhere: a file of notes, or the gateway’s standard output')
      .option('--json', 'print the verdict as JSON')
      .addHelpText('after', EXAMPLES)
      .action(async (given: string | undefined, options: VerifyOptions) => {
        process.exitCode = await verify(given, options).catch((cause: unknown) => {
          note(reasonOf(cause));
          return USAGE;
        });
      }),
  );
}

async function verify(given: string | undefined, options: VerifyOptions): Promise<number> {
  const folder = journalFolder(given);
  const chains = listChains(folder);
  if (chains.length === 0) throw new CommandFailure(`${folder} holds no journal`);
  const notes = options.checkpoints === undefined ? [] : notesIn(options.checkpoints);
  const key = notes.length === 0 ? undefined : publicKey(options.key ?? join(folder, PUBLIC_KEY));
  const verdicts: ChainVerdict[] = [];
  for (const chain of chains) {
    const verdict = await verifyJournal({
      folder: chain.folder,
      start: startOf(chain),
      notes: notes.filter(one => isOf(chain, one)),
      key,
    });
    verdicts.push({ chain: chain.prefix, ...verdict });
  }
  if (options.json === true) say(JSON.stringify({ whole: isWhole(verdicts), chains: verdicts }));
  else for (const verdict of verdicts) tell(verdict, options.checkpoints !== undefined);
  return isWhole(verdicts) ? WHOLE : FAULTY;
}

/** @throws {CommandFailure} when the file cannot be read, or has none */
function notesIn(file: string): string[] {
  let notes: string[];
  try {
    notes = splitNotes(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CommandFailure(`${file}: ${reasonOf(cause)}`, { cause });
  }
  if (notes.length === 0) throw new CommandFailure(`${file} holds no checkpoint`);
  return notes;
}

/** @throws {CommandFailure} when it is no public key of checkpoints */
function publicKey(file: string): KeyObject {
  if (!existsSync(file))
    throw new CommandFailure(`${file} does not exist: give the public key of the checkpoints with --key`);
  try {
    const key = createPublicKey(readFileSync(file));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new CommandFailure(`${file} is not a public key in PEM: ${reasonOf(cause)}`, { cause });
  }
  throw new CommandFailure(`${file} is not an Ed25519 key`);
}

/** Each chain names itself in its checkpoints. */
function isOf({ prefix }: Chain, checkpoint: string): boolean {
  const [origin = ''] = checkpoint.split('\n');
  return origin.endsWith('/takeover') === (prefix !== '');
}

const isWhole = (verdicts: readonly Verdict[]): boolean => verdicts.every(({ faults }) => faults.length === 0);

function tell(verdict: ChainVerdict, hasCheckpoints: boolean): void {
  const { chain, segments, blocks, records, faults, faultsLeftOut } = verdict;
  const name = chain === '' ? '' : `${chain}: `;
  say(`${name}${counted(records, 'record')} in ${counted(blocks, 'block')} and ${counted(segments, 'segment')}`);
  for (const fault of faults) say(faultLine(chain, fault));
  if (faultsLeftOut > 0) say(`  and ${faultsLeftOut} more`);
  for (const line of faults.length === 0 ? proofs(verdict, hasCheckpoints) : ['The journal is NOT as it was written.'])
    say(line);
}

const faultLine = (chain: string, { where, what }: Fault): string =>
  where.startsWith('checkpoint') ? `  ${where}: ${what}` : `  ${chain}${where}: ${what}`;

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** What an intact chain proves, and what it does not. */
function proofs(verdict: Verdict, hasCheckpoints: boolean): string[] {
  const { blocksBefore, blocks, checkpoints, coveredBlocks, openLines } = verdict;
  const lines = ['The chain is intact: no byte, record, block or segment was changed, removed or swapped on its own.'];
  if (blocksBefore > 0)
    lines.push(`It begins after block ${blocksBefore - 1}: earlier segments were removed, by retention or by hand.`);
  if (openLines > 0) {
    lines.push(
      `Not covered: ${counted(openLines, 'line')} after the last block. The gateway is writing, or it crashed.`,
    );
  }
  const all = blocksBefore + blocks;
  if (checkpoints === 0) {
    lines.push(
      hasCheckpoints ? 'No checkpoint in the file belongs to this chain.' : 'No checkpoints were given.',
      'Not proved: that nothing is missing at the end, or that no insider rewrote all of it.',
    );
  } else {
    lines.push(
      `${checkpoints} ${checkpoints === 1 ? 'checkpoint matches' : 'checkpoints match'}. Proved: blocks 0 to ${coveredBlocks - 1} are the ones that were signed.`,
    );
    if (coveredBlocks < all) {
      lines.push(
        `Not proved: ${counted(all - coveredBlocks, 'block')} after them, which may be incomplete or rewritten.`,
      );
    }
  }
  return lines;
}
