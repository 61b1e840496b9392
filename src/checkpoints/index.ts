export type { ElementTypeName } from './element-types.js';
export { checkFinite } from './finite.js';
export type { JsonObject, JsonValue } from './json.js';
export { type ExpectedWeight, type MatchedWeights, matchWeights } from './match.js';
export { type Checkpoint, type OpenWeights, openCheckpoint, openWeights } from './open.js';
export type { TensorToSave } from './safetensors.js';
export { type CheckpointContent, saveCheckpoint } from './save.js';
export type { Weight } from './weight.js';
export { writeFileWhole } from './write-whole.js';
