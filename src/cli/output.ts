/** All output of the command line. Nothing else prints, so text from outside cannot control the reader's terminal. */
import { printable, printableJson, printableLines } from '../observe/terminal-text.js';

/** A line on standard output: the command's result. */
export function say(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

/** A line on standard error: progress and failures. */
export function note(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** Our own text of several lines, including the last line end, on standard output. */
export function sayLines(text: string): void {
  process.stdout.write(printableLines(text));
}

/** A document of this package, unchanged, for a file or a program: nothing in it comes from outside. */
export function sayDocument(text: string): void {
  process.stdout.write(text);
}

/** Like `sayLines`, on standard error. */
export function noteLines(text: string): void {
  process.stderr.write(printableLines(text));
}

/** A line of JSON on standard output; on a terminal, what it might obey is escaped. Resolves once there is room for the next one. */
export async function sayJson(line: string): Promise<void> {
  const { stdout } = process;
  if (!stdout.write(`${stdout.isTTY ? printableJson(line) : line}\n`)) {
    await new Promise(resolve => stdout.once('drain', resolve));
  }
}
