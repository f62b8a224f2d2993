/** Which contenders take part: those asked for, less those that this machine cannot run. */
import { MissingPrerequisite } from '../harness/prerequisite.js';
import { type SuiteContext, UsageError } from '../suite.js';
import type { Contender } from './contender.js';

export interface Prepared {
  readonly contenders: readonly Contender[];
  /** `name: why`, for the report. */
  readonly skipped: readonly string[];
  /** Removes what was built. */
  release(): void;
}

/** @throws {UsageError} when a name is unknown. */
export function selected(all: readonly Contender[], only: readonly string[] | undefined): Contender[] {
  const unknown = (only ?? []).filter(name => !all.some(contender => contender.name === name));
  const names = all.map(({ name }) => name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no contender named ${unknown.join(', ')}; there are: ${names}`);
  return all.filter(({ name }) => only === undefined || only.includes(name));
}

/** Builds what is to be built. A contender that cannot be run here is left out, visibly. */
export async function prepareContenders(
  wanted: readonly Contender[],
  { progress, signal }: Pick<SuiteContext, 'progress' | 'signal'>,
): Promise<Prepared> {
  const contenders: Contender[] = [];
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
