-- Smooth weighted round robin: what the controller's default balancer asks for.
-- Nodes are a table of id -> weight. Each find() raises every node by its weight, takes the
-- highest, and lowers it by the sum: so a heavy node's turns are spread out.
local setmetatable, pairs, next = setmetatable, pairs, next

local _M = {}
local meta = { __index = _M }

local function copy(nodes)
  local weights, current = {}, {}
  for id, weight in pairs(nodes) do
    weights[id] = weight
    current[id] = 0
  end
  return weights, current
end

function _M.new(_, nodes)
  local self = setmetatable({}, meta)
  self:reinit(nodes)
  return self
end

function _M.reinit(self, nodes)
  self.weights, self.current = copy(nodes)
end

function _M.set(self, id, weight)
  if weight and weight > 0 then
    self.weights[id] = weight
    self.current[id] = self.current[id] or 0
  else
    self:delete(id)
  end
end

function _M.delete(self, id)
  self.weights[id] = nil
  self.current[id] = nil
end

function _M.find(self)
  if next(self.weights) == nil then
    return nil
  end
  local best, total = nil, 0
  for id, weight in pairs(self.weights) do
    local value = self.current[id] + weight
    self.current[id] = value
    total = total + weight
    if best == nil or value > self.current[best] then
      best = id
    end
  end
  self.current[best] = self.current[best] - total
  return best
end

_M.next = _M.find

return _M
