/** The operator's thresholds: a JSON file that names only what differs from the starting values. */
import { readFile } from 'node:fs/promises';
import { ConfigError } from '../config/config-error.js';
import { DEFAULT_THRESHOLDS, type Thresholds, thresholdsSchema } from './thresholds.js';

/** @throws {ConfigError} naming what is wrong with it. @param named how the operator named the file */
export async function readThresholds(file: string | undefined, named: string): Promise<Thresholds> {
  if (file === undefined) return DEFAULT_THRESHOLDS;
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`${named}=${JSON.stringify(file)}: cannot be read (${(cause as Error).message})`, { cause });
  }
  const parsed = thresholdsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`);
  throw new ConfigError(`${named}=${JSON.stringify(file)}: ${problems.join('; ')}`);
}
