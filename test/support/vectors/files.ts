/** The files of src/protocol/vectors: what is in each, and their text as it has to be. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { foreignPython } from '../foreign/python.js';
import { amounts, amountsPacked, amountsRefused } from './amounts.js';
import { accepted, malformed, timed } from './content.js';
import { generateVector } from './generate.js';
import { integers } from './integers.js';
import { losses } from './losses.js';
import type { VectorSpec } from './spec.js';
import { streams } from './streams.js';

interface VectorFile {
  readonly about: string;
  readonly specs: readonly VectorSpec[];
}

export const VECTOR_FILES: Readonly<Record<string, VectorFile>> = {
  streams: { about: 'Every stream’s frames', specs: streams },
  amounts: { about: 'D3: amounts in every form', specs: [...amounts, ...amountsPacked] },
  'amounts-refused': {
    about: 'D11, D12, D18: no value, negative values, and what is no amount',
    specs: amountsRefused,
  },
  integers: { about: 'D4, D5: whole numbers of any size', specs: integers },
  losses: { about: 'D1, D2, D6, D7, D8: refused and missing messages, restarted publishers', specs: losses },
  accepted: { about: 'D9, D13, D14, D15, D17, D19: what is accepted', specs: accepted },
  malformed: { about: 'D19, D20: what is refused', specs: malformed },
  times: { about: 'D16, D21: times', specs: timed },
};

const EXPECTED = fileURLToPath(new URL('expected.py', import.meta.url));
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The text of each file, by name.
 * @throws {Error} with what is wrong, where Python's own computation disagrees.
 */
export async function vectorTexts(
  advance: (ms: number) => Promise<unknown>,
): Promise<Readonly<Record<string, string>>> {
  const files: Record<string, object> = {};
  for (const [name, { about, specs }] of Object.entries(VECTOR_FILES)) {
    const cases: object[] = [];
    for (const spec of specs) cases.push(await generateVector(spec, advance));
    files[name] = { about, cases };
  }
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const options = { input: JSON.stringify(files), encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX, env } as const;
  const { status, stdout, stderr } = spawnSync(foreignPython(), [EXPECTED], options);
  if (status !== 0) throw new Error(`the vectors are not what Python works out:\n${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, string>;
}
