-------------------------------------------------------------------------------------------------------------
-- 3. Orchestration: running the following instances from Lua
-------------------------------------------------------------------------------------------------------------

local function subtable(parent, key)
	local child = parent[key]
	if not child then
		child = {}
		parent[key] = child
	end
	return child
end

-- Instance cutoff that also works without ctx (then remembered in track.lua_state.cutoff_shim).
-- dir : true = outgoing, false = incoming, nil = both
function instance_cutoff_shim(ctx, desync, dir)
	local instance = desync.func_instance
	if ctx then
		instance_cutoff(ctx, dir)
		return
	end
	if not desync.track then
		dlog_format("instance_cutoff_shim: cannot cutoff '%s' because conntrack is absent", instance)
		return
	end
	local cutoff = subtable(subtable(desync.track.lua_state, "cutoff_shim"), instance)
	if dir == nil then
		cutoff[true], cutoff[false] = true, true
	else
		cutoff[dir] = true
	end
	dlog_format("instance_cutoff_shim: cutoff '%s' in=%s out=%s", instance, not dir, dir ~= false)
end

-- True if the instance was cut off by instance_cutoff_shim for the direction of the packet;
-- else nil, or false without conntrack.
function cutoff_shim_check(desync)
	local instance = desync.func_instance
	if not desync.track then
		dlog_format("cutoff_shim_check: cannot check '%s' cutoff because conntrack is absent", instance)
		return false
	end
	local shim = desync.track.lua_state.cutoff_shim
	local cutoff = shim and shim[instance] and shim[instance][desync.outgoing]
	if cutoff then dlog_format("cutoff_shim_check: '%s' %s cutoff", instance, desync.outgoing and "out" or "in") end
	return cutoff
end

-- Substitutes argument prefixes in desync.arg, once: "%name" = blob, "#name" = length of the blob,
-- "\%..." and "\#..." = the text without the backslash.
function apply_arg_prefix(desync)
	local arg = desync.arg
	if arg.__prefix_applied then return end
	for name, value in pairs(arg) do
		if type(value) == "string" then
			local first, rest = value:sub(1, 1), value:sub(2)
			if first == "#" then
				arg[name] = tostring(#blob(desync, rest))
			elseif first == "%" then
				arg[name] = blob(desync, rest)
			elseif first == "\\" and rest:find("^[#%%]") then
				arg[name] = rest
			end
		end
	end
	arg.__prefix_applied = true
end

-- Makes a plan instance the current one: copies func, func_n, func_instance and its arguments to desync.
function apply_execution_plan(desync, instance)
	desync.func = instance.func
	desync.func_n = instance.func_n
	desync.func_instance = instance.func_instance
	desync.arg = deepcopy(instance.arg)
end

-- Joins two verdicts: DROP wins over MODIFY, MODIFY over PASS; PRESERVE_NEXT is kept from both. nil = PASS.
function verdict_aggregate(v1, v2)
	v1 = v1 or VERDICT_PASS
	v2 = v2 or VERDICT_PASS
	local base1, base2 = bitand(v1, VERDICT_MASK), bitand(v2, VERDICT_MASK)
	local base = VERDICT_PASS
	if base1 == VERDICT_DROP or base2 == VERDICT_DROP then
		base = VERDICT_DROP
	elseif base1 == VERDICT_MODIFY or base2 == VERDICT_MODIFY then
		base = VERDICT_MODIFY
	end
	return bitor(base, bitand(bitor(v1, v2), VERDICT_PRESERVE_NEXT))
end

-- Runs a plan instance and returns its verdict joined with `verdict`.
-- Cutoff, payload filter and range are respected: if one forbids the call, returns `verdict`.
function plan_instance_execute(desync, verdict, instance)
	apply_execution_plan(desync, instance)
	return plan_instance_execute_preapplied(desync, verdict, instance)
end

-- The same after apply_execution_plan was done by the caller (who may have changed desync.arg since).
function plan_instance_execute_preapplied(desync, verdict, instance)
	local name = desync.func_instance
	if cutoff_shim_check(desync) then
		dlog_format("plan_instance_execute: not calling '%s' because of voluntary cutoff", name)
		return verdict
	end
	if not payload_match_filter(desync.l7payload, instance.payload_filter) then
		dlog_format("plan_instance_execute: not calling '%s' because payload '%s' does not match filter '%s'",
			name, desync.l7payload, instance.payload_filter)
		return verdict
	end
	local range = instance.range
	if not pos_check_range(desync, range) then
		if is_logging() then
			dlog_format("plan_instance_execute: not calling '%s' because pos %s %s is out of range '%s'",
				name, pos_str(desync, range.from), pos_str(desync, range.to), pos_range_str(range))
		end
		return verdict
	end
	apply_arg_prefix(desync)
	desync.arg.__prefix_applied = nil
	dlog_format("plan_instance_execute: calling '%s'", name)
	local result = _G[instance.func](nil, desync)
	return verdict_aggregate(verdict, result)
end

-- Removes and returns the first instance of desync.plan; nil if there is none.
function plan_instance_pop(desync)
	return desync.plan and table.remove(desync.plan, 1)
end

-- Removes the first `max` instances of desync.plan, or all of them.
function plan_clear(desync, max)
	local plan = desync.plan
	if max then
		for _ = 1, math.min(max, #plan) do table.remove(plan, 1) end
	else
		for i = #plan, 1, -1 do plan[i] = nil end
	end
end

-- Takes the following instances over from the engine into desync.plan. Does nothing if that was done before.
function orchestrate(ctx, desync)
	if not desync.plan then
		execution_plan_cancel(ctx)
		desync.plan = execution_plan(ctx)
	end
end

-- Deep copy of desync that shares the connection state (track.lua_state) and the plan with the original.
function desync_copy(desync)
	local shared = {}
	if desync.track then shared[desync.track.lua_state] = desync.track.lua_state end
	if desync.plan then shared[desync.plan] = desync.plan end
	return deepcopy(desync, shared)
end

-- Pops and runs plan instances until the plan is empty or `max` of them were popped.
-- Returns the aggregated verdict; desync.func*, desync.arg remain those of the last popped instance.
function replay_execution_plan(desync, max)
	local verdict = VERDICT_PASS
	local popped = 0
	while not max or popped < max do
		local instance = plan_instance_pop(desync)
		if not instance then return verdict end
		verdict = plan_instance_execute(desync, verdict, instance)
		popped = popped + 1
	end
	dlog_format("replay_execution_plan: reached max instances limit %s", max)
	return verdict
end
