import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readCheckpoint, signCheckpoint, splitNotes } from '../../../src/journal/checkpoint.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const checkpoint = { origin: 'millrace/edge-1', blocks: 42, root: randomBytes(32) };
const note = signCheckpoint(checkpoint, privateKey);

describe('a checkpoint (R70)', () => {
  it('is a signed note of three lines, a blank one and the signature', () => {
    const lines = note.split('\n');
    expect(lines.slice(0, 4)).toEqual(['millrace/edge-1', '42', checkpoint.root.toString('base64'), '']);
    const [dash, name, base64 = ''] = (lines[4] ?? '').split(' ');
    expect([dash, name]).toEqual(['—', 'millrace/edge-1']);
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    const keyHash = createHash('sha256')
      .update(Buffer.from('millrace/edge-1\n\x01'))
      .update(raw)
      .digest()
      .subarray(0, 4);
    expect(Buffer.from(base64, 'base64').subarray(0, 4).equals(keyHash)).toBe(true);
  });

  it('is read back by the public key', () => {
    expect(readCheckpoint(note, publicKey)).toEqual(checkpoint);
  });

  it.each([
    ['another number of blocks', note.replace('\n42\n', '\n43\n'), 'bad_signature'],
    ['another name', note.replaceAll('edge-1', 'edge-2'), 'unknown_key'],
    ['no signature', note.split('\n').slice(0, 4).join('\n'), 'malformed'],
    ['a number with a leading zero', note.replace('\n42\n', '\n042\n'), 'malformed'],
    ['text behind it', `${note}x`, 'malformed'],
  ])('with %s is refused', (_, text, fault) => {
    expect(readCheckpoint(text, publicKey)).toBe(fault);
  });

  it('of another key is refused', () => {
    expect(readCheckpoint(note, generateKeyPairSync('ed25519').publicKey)).toBe('unknown_key');
  });

  it('is found among others, with or without blank lines between them', () => {
    const others = [1, 2, 3].map(blocks => signCheckpoint({ ...checkpoint, blocks }, privateKey));
    expect(splitNotes(others.join(''))).toEqual(others);
    expect(splitNotes(`\n${others.join('\n\n')}\n`)).toEqual(others);
    expect(splitNotes('')).toEqual([]);
  });
});
