export const usageHtml = (_: unknown): string => '';
