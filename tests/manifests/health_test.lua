-- What Argo CD is told of an AdaptiveExamDeployment: statuses in, health out, in the Lua engine that Argo CD has (gopher-lua).
-- Usage: glua health_test.lua health.lua

local script = assert(loadfile(arg[1]))

-- condition{type, status, reason}
local function condition(text)
  local kind, status, reason = text:match("^(%w+)=(%w+) ?(%w*)$")
  return { type = kind, status = status, reason = reason, message = "as told" }
end

local function resource(case)
  local status
  if case.conditions then
    status = { observedGeneration = case.observed or 3, conditions = {} }
    for n, text in ipairs(case.conditions) do
      status.conditions[n] = condition(text)
    end
  end
  return { metadata = { name = "midterm", generation = case.generation or 3 }, spec = {}, status = status }
end

local cases = {
  { "it is new", nil, "Progressing" },
  { "nothing is told yet", {}, "Progressing" },
  { "all runs", { "Ready=True AllChecksPassed", "ServiceAvailable=True PodsReady", "StoreReady=True X" }, "Healthy" },
  { "pods are on their way", { "Ready=False WaitingForPods", "Reconciling=True WaitingForPods" }, "Progressing", "WaitingForPods" },
  { "Redis gets its first master", { "Ready=False BootstrappingMaster", "Reconciling=True BootstrappingMaster" }, "Progressing" },
  { "pods are replaced", { "Ready=False RollingUpdate", "Reconciling=True RollingUpdate" }, "Progressing" },
  { "another one's certificate is awaited", { "Ready=False WaitingForCertificate", "Reconciling=True WaitingForCertificate" }, "Progressing" },
  { "nothing can be said", { "Ready=Unknown ApplyFailed", "Reconciling=True ApplyFailed" }, "Progressing" },
  { "a volume grows", { "Ready=True AllChecksPassed", "Reconciling=True VolumeGrowing" }, "Progressing", "VolumeGrowing" },
  { "an image is not there", { "Ready=False ImagePull", "Reconciling=True ImagePull" }, "Degraded", "ImagePull" },
  { "a container ends", { "Ready=False Crashing", "Reconciling=True Crashing" }, "Degraded", "Crashing" },
  { "the database is away", { "Ready=False DatabaseUnreachable", "Reconciling=True DatabaseUnreachable" }, "Degraded" },
  { "Sentinels do not agree", { "Ready=False QuorumLost", "Reconciling=True QuorumLost" }, "Degraded" },
  { "the spec is wrong", { "Ready=False InvalidSpec", "Stalled=True InvalidSpec" }, "Degraded", "InvalidSpec" },
  { "a name is taken", { "Ready=False NameTaken", "Stalled=True NameTaken" }, "Degraded" },
  { "it is paused", { "Ready=True AllChecksPassed", "Stalled=True Paused" }, "Suspended", "Paused" },
  { "it is paused while a pod is missing", { "Ready=False WaitingForPods", "Stalled=True Paused" }, "Suspended" },
  { "an update waits for a person", { "Ready=True AllChecksPassed", "UpdateWaiting=True OperatorUpgraded" }, "Suspended", "OperatorUpgraded" },
  { "an update waits and a pod fails", { "Ready=False Crashing", "Reconciling=True Crashing", "UpdateWaiting=True WaitingForApproval" }, "Degraded" },
  { "it is rolled back", { "Ready=True AllChecksPassed", "RolledBack=True RolledBackManually" }, "Healthy", "RolledBackManually" },
  { "a condition that is over counts no more", { "Ready=True AllChecksPassed", "Stalled=False Paused" }, "Healthy" },
  { "another generation is wanted", { "Ready=True AllChecksPassed" }, "Progressing", "generation", observed = 2 },
  { "a generation that failed is left", { "Ready=False InvalidSpec", "Stalled=True InvalidSpec" }, "Progressing", "generation", observed = 2 },
}

local failed = 0
for _, case in ipairs(cases) do
  obj = resource({ conditions = case[2], observed = case.observed })
  local health = script()
  local is_as_wanted = health.status == case[3] and type(health.message) == "string"
    and (case[4] == nil or health.message:find(case[4], 1, true) ~= nil)
  if not is_as_wanted then
    failed = failed + 1
    print(case[1] .. ": " .. tostring(health.status) .. " (" .. tostring(health.message) .. "), not " .. case[3] .. " " .. (case[4] or ""))
  end
end
print(string.format("health.lua: %d passed, %d failed", #cases - failed, failed))
os.exit(failed == 0 and 0 or 1)
