/**
 * The parts of a topic, `<stream>:<name>`, and of similar texts: a source, an entitlement. A name may contain colons.
 */

/** Without a colon, everything is the stream, and the name is ''. */
export function topicParts(topic: string): [stream: string, name: string] {
  const colon = topic.indexOf(':');
  return colon < 0 ? [topic, ''] : [topic.slice(0, colon), topic.slice(colon + 1)];
}

/** Only the name. */
export function topicName(topic: string): string {
  return topic.slice(topic.indexOf(':') + 1);
}
