/** What the programs of a test logged, printed when the test fails: on another machine it may not fail again. */

/** Printed of each log: its end. */
const CHARACTERS_MAX = 6_000;

interface Program {
  /** E.g. `gateway 4711`. */
  readonly name: string;
  readonly log: () => string;
  /** Settles when it has ended, or could not be started. */
  readonly ended: Promise<unknown>;
}

/** Those that have run since the last test ended, and whether they have ended. */
const programs = new Map<Program, { isOver: boolean }>();

/** Has the log printed where a test fails before the program has ended, or in which it ends. */
export function keepLog(program: Program): void {
  const state = { isOver: false };
  programs.set(program, state);
  const isOver = () => {
    state.isOver = true;
  };
  program.ended.then(isOver, isOver);
}

/** After each test. @param failed its name, if it failed */
export function testEnded(failed: string | undefined): void {
  for (const [{ name, log }] of failed === undefined ? [] : programs) {
    console.error(`${name} logged, at the end of "${failed}":\n${endOf(log())}`);
  }
  for (const [program, { isOver }] of programs) if (isOver) programs.delete(program);
}

function endOf(log: string): string {
  if (log.length <= CHARACTERS_MAX) return log;
  const end = log.slice(-CHARACTERS_MAX);
  return `… ${end.slice(end.indexOf('\n') + 1)}`;
}
