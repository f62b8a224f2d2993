/** The position of a topic, or of a client within it. */
export interface StreamPosition {
  readonly epoch: string;
  /** Grows within the topic; means nothing without its epoch. */
  readonly seq: number;
}
