/** Which contenders take part: those asked for, less those that this machine cannot run. */
import { type SuiteContext, UsageError } from '../suite.js';
import { MissingPrerequisite } from './prerequisite.js';

export interface Preparable {
  readonly name: string;
  /**
   * Builds what the contender needs, once a run; returns what removes it again.
   * @throws {MissingPrerequisite} when this machine cannot run it: it is then left out, and the report says so.
   */
  prepare?(signal: AbortSignal): Promise<() => void>;
}

interface Prepared<C extends Preparable> {
  readonly contenders: readonly C[];
  /** `name: why`, for the report. */
  readonly skipped: readonly string[];
  /** Removes what was built. */
  release(): void;
}

/** @throws {UsageError} when a name is unknown. */
export function selected<C extends Preparable>(all: readonly C[], only: readonly string[] | undefined): C[] {
  const unknown = (only ?? []).filter(name => !all.some(contender => contender.name === name));
  const names = all.map(({ name }) => name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no contender named ${unknown.join(', ')}; there are: ${names}`);
  return all.filter(({ name }) => only === undefined || only.includes(name));
}

/** Builds what is to be built. A contender that cannot be run here is left out, visibly. */
export async function prepareContenders<C extends Preparable>(
  wanted: readonly C[],
  { progress, signal }: Pick<SuiteContext, 'progress' | 'signal'>,
): Promise<Prepared<C>> {
  const contenders: C[] = [];
  const skipped: string[] = [];
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const each of releases.splice(0)) each();
  };
  for (const contender of wanted) {
    try {
      const done = await contender.prepare?.(signal);
      if (done !== undefined) releases.push(done);
      contenders.push(contender);
    } catch (error) {
      if (!(error instanceof MissingPrerequisite)) {
        release();
        throw error;
      }
      skipped.push(`${contender.name}: ${error.message}`);
      progress(`SKIPPED ${contender.name}: ${error.message}`);
    }
  }
  if (contenders.length === 0) throw new MissingPrerequisite(`nothing to measure; ${skipped.join('; ')}`);
  return { contenders, skipped, release };
}
