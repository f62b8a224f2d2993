/** Which version of Millrace runs. */
import { readFileSync } from 'node:fs';
import { PACKAGE_FILE } from '../programs.js';

export function packageVersion(): string {
  return (JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { version: string }).version;
}
