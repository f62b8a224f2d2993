/** Which subjects a JetStream stream stores, by NATS's own rules: its own, and those of the streams it copies from. */
import type { StreamInfo, StreamSource } from 'nats';
import { covers, destinationPattern, intersection } from './subject-patterns.js';

/** Most levels of streams that copy from streams that copy. */
const COPIES_DEPTH_MAX = 8;
const EVERYTHING = ['>'];

interface SubjectTransform {
  readonly src?: string;
  readonly dest?: string;
}

/** Servers from 2.10 on send members that this client's types lack. */
type Copied = StreamSource & { readonly subject_transforms?: readonly SubjectTransform[] };

/**
 * Patterns of the subjects in the stream.
 * @param infoOf another stream of the account; undefined if it is not visible, and then it may contain any subject
 */
export async function storedPatterns(
  info: StreamInfo,
  infoOf: (name: string) => Promise<StreamInfo | undefined>,
  depth = 0,
): Promise<readonly string[]> {
  const { subjects = [], mirror, sources = [] } = info.config;
  const { subject_transform: transform } = info.config as { readonly subject_transform?: SubjectTransform };
  const patterns = subjects.flatMap(subject => transformed(subject, transform));
  for (const copied of [...(mirror === undefined ? [] : [mirror]), ...sources]) {
    patterns.push(...(await copiedPatterns(copied, infoOf, depth)));
  }
  return patterns;
}

async function copiedPatterns(
  copied: Copied,
  infoOf: (name: string) => Promise<StreamInfo | undefined>,
  depth: number,
): Promise<readonly string[]> {
  const { subject_transforms: transforms = [], filter_subject: filter, external, domain } = copied;
  const isHere = external === undefined && domain === undefined && depth < COPIES_DEPTH_MAX;
  const origin = isHere ? await infoOf(copied.name) : undefined;
  const patterns = origin === undefined ? EVERYTHING : await storedPatterns(origin, infoOf, depth + 1);
  if (transforms.length === 0) return filter === undefined || filter === '' ? patterns : within(patterns, filter);
  return transforms.flatMap(({ src = '>', dest = '' }) => {
    const found = within(patterns, src);
    return found.length === 0 || dest === '' ? found : [destinationPattern(dest)];
  });
}

function within(patterns: readonly string[], filter: string): string[] {
  return patterns.map(pattern => intersection(pattern, filter)).filter(pattern => pattern !== undefined);
}

/** The subjects that a stream stores for one it listens to. */
function transformed(subject: string, transform: SubjectTransform | undefined): string[] {
  const { src = '', dest = '' } = transform ?? {};
  if (dest === '') return [subject];
  const pattern = src === '' ? '>' : src;
  if (intersection(subject, pattern) === undefined) return [subject];
  // If a transform covers a subject only in part, the rest keeps its name.
  return covers(pattern, subject) ? [destinationPattern(dest)] : [subject, destinationPattern(dest)];
}
