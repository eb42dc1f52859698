-- How an AdaptiveExamDeployment is, for Argo CD.
-- In: obj, the resource. Out: {status, message}, as resource.customizations.health wants it.
-- Suspended waits for a person or a time; Progressing comes by itself; Degraded needs somebody.

-- Reasons of Ready that do not pass by themselves, although the operator keeps trying.
local trouble = {
  ContainerConfig = true, Crashing = true, DatabaseUnreachable = true, ImagePull = true, NoMaster = true,
  PodsRefused = true, QuorumLost = true, SettingsRejected = true, StoreUnreachable = true, Unschedulable = true,
  VolumeNotGrown = true, VolumeNotMounted = true, VolumePending = true,
}

local function health(status, message)
  return { status = status, message = message }
end

local status = obj.status
if status == nil or status.conditions == nil then
  return health("Progressing", "the operator has not looked at it yet")
end
if status.observedGeneration ~= nil and obj.metadata.generation ~= nil
  and status.observedGeneration < obj.metadata.generation then
  return health("Progressing", "the operator has not looked at this generation yet")
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end
local function is_true(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end
local function told(condition)
  return condition.reason .. ": " .. (condition.message or "")
end

local stalled, ready = conditions.Stalled, conditions.Ready
if is_true("Stalled") then
  if stalled.reason == "Paused" then
    return health("Suspended", told(stalled))
  end
  return health("Degraded", told(stalled))
end
if ready == nil then
  return health("Progressing", "nothing is told of Ready")
end
if not is_true("Ready") then
  if trouble[ready.reason] then
    return health("Degraded", told(ready))
  end
  return health("Progressing", told(ready))
end
if is_true("UpdateWaiting") then
  return health("Suspended", told(conditions.UpdateWaiting))
end
if is_true("Reconciling") then
  return health("Progressing", told(conditions.Reconciling))
end
if is_true("RolledBack") then
  return health("Healthy", told(conditions.RolledBack))
end
return health("Healthy", ready.message or "")
