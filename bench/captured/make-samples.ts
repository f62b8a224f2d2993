/** `node --import tsx bench/captured/make-samples.ts`: writes the small files in ops/examples/captured again. */
import { writeFileSync } from 'node:fs';
import { samples } from './samples.js';

const FOLDER = new URL('../../ops/examples/captured/', import.meta.url);

for (const [name, lines] of samples()) writeFileSync(new URL(name, FOLDER), `${lines.join('\n')}\n`);
