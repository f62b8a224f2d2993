/** A journal's folder as a gateway of a test writes it, read without the gateway's code where that matters. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export class JournalFolder {
  readonly base = mkdtempSync(join(tmpdir(), 'millrace-journal-'));
  readonly path = join(this.base, 'journal');
  readonly env: Readonly<Record<string, string>>;

  constructor() {
    const keyFile = join(this.base, 'master.key');
    writeFileSync(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });
    this.env = { JOURNAL_DIR: this.path, JOURNAL_MASTER_KEY_FILE: keyFile };
  }

  /** @returns number of blocks and the root, as the independent verifier finds them. @throws {Error} with its complaint */
  verified(path = this.path): string {
    return execFileSync('python3', ['test/support/journal/verifier.py', path], { encoding: 'utf8' }).trim();
  }

  /** All records, from the first. */
  records(path = this.path): Readonly<Record<string, unknown>>[] {
    return this.#text(path)
      .split('\n')
      .filter(line => line.startsWith('{"t":'))
      .map(line => JSON.parse(line));
  }

  /** For a moment a segment is there in both forms; then the one that was written is removed. */
  #text(path: string): string {
    const numbers = new Set(readdirSync(path).flatMap(name => /^(\d+)\.mjl(?:\.gz)?$/.exec(name)?.[1] ?? []));
    return [...numbers]
      .sort()
      .map(number => {
        const written = join(path, `${number}.mjl`);
        try {
          return readFileSync(written, 'utf8');
        } catch (cause) {
          if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
          return gunzipSync(readFileSync(`${written}.gz`)).toString('utf8');
        }
      })
      .join('');
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}
