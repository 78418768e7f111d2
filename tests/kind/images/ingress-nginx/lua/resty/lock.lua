-- Debian has no such library. It serves the ewma balancer, which makes a lock when it is loaded
-- and takes it only for an Ingress that asks for that balancer; whoever does is told so.
local function absent()
  return nil, "resty.lock is not part of this image"
end

return {
  new = function()
    return { lock = absent, unlock = absent }
  end,
}
