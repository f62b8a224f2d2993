import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { EMPTY_CHAIN } from '../journal/block-chain.js';
import { splitNotes } from '../journal/checkpoint.js';
import { type Verdict, verifyJournal } from '../journal/verify.js';
import { FIRST_STATE, readState } from '../journal/writer.js';
import { CommandFailure, reasonOf } from './failure.js';
import { say } from './output.js';

const VERIFY_EXAMPLES = `
The chain of blocks shows a record that was changed, removed or swapped. A tail that was cut, or a history that was written again by
somebody with access to the files, only shows against checkpoints that were kept elsewhere.
The exit code is 1 if anything is not as it was written.

Examples:
  $ millrace journal verify /var/lib/millrace/journal
  $ millrace journal verify ./journal --checkpoints checkpoints.txt --key journal-public.pem`;

interface VerifyOptions {
  readonly key?: string;
  readonly checkpoints?: string;
  readonly json?: boolean;
}

/** `millrace journal`: what can be done with a journal, away from the gateway that wrote it. */
export function journalCommand(): Command {
  return new Command('journal')
    .description('verify a journal')
    .addCommand(
      new Command('verify')
        .description('prove that a journal is as it was written')
        .argument('<folder>', 'JOURNAL_DIR')
        .option('--checkpoints <file>', 'checkpoints that were kept elsewhere, one after another')
        .option('--key <file>', 'public key of the checkpoints, PEM')
        .option('--json', 'as one JSON object')
        .addHelpText('after', VERIFY_EXAMPLES)
        .action(verify),
    );
}

async function verify(folder: string, { key, checkpoints, json = false }: VerifyOptions): Promise<void> {
  const verdict = await verifyJournal({
    folder,
    start: startOf(folder),
    notes: checkpoints === undefined ? [] : splitNotes(read(checkpoints)),
    key: key === undefined ? undefined : publicKey(key),
  }).catch((cause: unknown) => {
    throw new CommandFailure(`${folder} cannot be read: ${reasonOf(cause)}`, { cause });
  });
  if (verdict.segments === 0) throw new CommandFailure(`${folder} holds no journal`);
  if (json) say(JSON.stringify(verdict));
  else for (const line of linesOf(verdict, checkpoints !== undefined)) say(line);
  if (verdict.faults.length > 0) process.exitCode = 1;
}

function startOf(folder: string) {
  try {
    return readState(folder, FIRST_STATE) ?? EMPTY_CHAIN;
  } catch (cause) {
    throw new CommandFailure(`${folder}/${FIRST_STATE}: ${reasonOf(cause)}`, { cause });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandFailure(`${file} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

function publicKey(file: string): KeyObject {
  try {
    const key = createPublicKey(read(file));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new CommandFailure(`${file} is no public key: ${reasonOf(cause)}`, { cause });
  }
  throw new CommandFailure(`${file} is no Ed25519 key`);
}

function* linesOf(verdict: Verdict, withCheckpoints: boolean): Generator<string> {
  const { segments, blocks, records, checkpoints, coveredBlocks, faults, faultsLeftOut, openLines } = verdict;
  yield `${segments} segments, ${blocks} blocks, ${records} records`;
  if (withCheckpoints) yield `${checkpoints} checkpoints read; the journal matches them up to block ${coveredBlocks}`;
  else yield 'no checkpoints given: a tail that was cut, or a history written again, would not show';
  if (openLines > 0) yield `${openLines} lines behind the last block: the gateway runs, or it crashed`;
  for (const { where, what } of faults) yield `FAULT  ${where}: ${what}`;
  if (faultsLeftOut > 0) yield `FAULT  and ${faultsLeftOut} more`;
  yield faults.length === 0 ? 'The journal is as it was written.' : 'The journal is NOT as it was written.';
}
