/** What the command line prints, and the only place that does: text from outside must not steer the reader's terminal. */
import { printable, printableLines } from '../observe/terminal-text.js';

/** A line on standard output: what the command is for. */
export function say(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

/** A line on standard error: what happened, or why it failed. */
export function note(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** Text of our own in several lines, on standard output; it ends its last line itself. */
export function sayLines(text: string): void {
  process.stdout.write(printableLines(text));
}

/** A document of this package as it is, for a file or a program: nothing in it came from outside. */
export function sayDocument(text: string): void {
  process.stdout.write(text);
}

/** As `sayLines`, on standard error. */
export function noteLines(text: string): void {
  process.stderr.write(printableLines(text));
}
