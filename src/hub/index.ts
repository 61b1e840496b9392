export { resolveModel } from './resolve.js';
export type { HubOptions, HubProgress } from './settings.js';
