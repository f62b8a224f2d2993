/**
 * Checkpoints in the form of a C2SP signed note (c2sp.org/signed-note, c2sp.org/tlog-checkpoint): how many blocks a journal
 * had, and the root of their tree, signed with Ed25519.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { HASH_BYTES } from './merkle-tree.js';

/** The signature type of Ed25519 in signed notes. */
const ED25519 = 0x01;
const KEY_HASH_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** An Ed25519 key in SPKI form ends with its 32 bytes. */
const RAW_KEY_BYTES = 32;
const NOTE =
  /^(?<text>(?<origin>[^\n]+)\n(?<blocks>0|[1-9]\d*)\n(?<root>[A-Za-z0-9+/]{43}=)\n)\n(?<signatures>(?:— [^\n]+\n)+)$/;
const SIGNATURE = /^— (\S+) ([A-Za-z0-9+/]+=*)$/;

export interface Checkpoint {
  /** Whose journal: `millrace/<node>`. Without blanks and `+`. */
  readonly origin: string;
  readonly blocks: number;
  readonly root: Buffer;
}

/** @param key a private Ed25519 key. @returns the note, with its final newline */
export function signCheckpoint({ origin, blocks, root }: Checkpoint, key: KeyObject): string {
  const text = `${origin}\n${blocks}\n${root.toString('base64')}\n`;
  const signature = Buffer.concat([keyHash(origin, key), sign(null, Buffer.from(text), key)]);
  return `${text}\n— ${origin} ${signature.toString('base64')}\n`;
}

/** Why a note is not a checkpoint that this key signed. */
type CheckpointFault = 'malformed' | 'unknown_key' | 'bad_signature';

/** Takes apart what was kept: notes one after another, and possibly lines between them that belong to none, as on standard output. */
export function splitNotes(text: string): string[] {
  const notes: string[] = [];
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    const isSignature = line.startsWith(SIGNATURE_START);
    // A note ends with its signatures: any other line behind them belongs to the next one.
    if (!isSignature && lines.at(-1)?.startsWith(SIGNATURE_START)) {
      notes.push(noteOf(lines));
      lines = [];
    }
    lines.push(line);
    // Only the last lines can belong to the note that follows.
    if (!isSignature && lines.length > NOTE_LINES) lines.shift();
  }
  if (lines.at(-1)?.startsWith(SIGNATURE_START)) notes.push(noteOf(lines));
  return notes;
}

/** The lines before the signatures: origin, blocks, root, and an empty one. */
const NOTE_LINES = 4;
const SIGNATURE_START = '— ';

function noteOf(lines: readonly string[]): string {
  const signatures = lines.findIndex(line => line.startsWith(SIGNATURE_START));
  return `${lines.slice(Math.max(0, signatures - NOTE_LINES)).join('\n')}\n`;
}

/** @param key the public Ed25519 key; undefined to read the note without checking its signature */
export function readCheckpoint(note: string, key: KeyObject | undefined): Checkpoint | CheckpointFault {
  const { text, origin, blocks, root, signatures } = NOTE.exec(note)?.groups ?? {};
  if (text === undefined || origin === undefined || signatures === undefined) return 'malformed';
  const size = Number(blocks);
  const hash = Buffer.from(root ?? '', 'base64');
  if (!Number.isSafeInteger(size) || hash.length !== HASH_BYTES) return 'malformed';
  if (key !== undefined) {
    const fault = signatureFault(text, origin, signatures, key);
    if (fault !== undefined) return fault;
  }
  return { origin, blocks: size, root: hash };
}

function signatureFault(text: string, origin: string, lines: string, key: KeyObject): CheckpointFault | undefined {
  const expected = keyHash(origin, key);
  for (const line of lines.trimEnd().split('\n')) {
    const [, name, base64 = ''] = SIGNATURE.exec(line) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    if (name !== origin || bytes.length !== KEY_HASH_BYTES + SIGNATURE_BYTES) continue;
    if (!bytes.subarray(0, KEY_HASH_BYTES).equals(expected)) continue;
    return verify(null, Buffer.from(text), key, bytes.subarray(KEY_HASH_BYTES)) ? undefined : 'bad_signature';
  }
  return 'unknown_key';
}

/** The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key). */
function keyHash(origin: string, key: KeyObject): Buffer {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
  const raw = spki.subarray(spki.length - RAW_KEY_BYTES);
  const hash = createHash('sha256').update(origin).update(Uint8Array.of(0x0a, ED25519)).update(raw).digest();
  return hash.subarray(0, KEY_HASH_BYTES);
}
