# SPDX-License-Identifier: Apache-2.0
# Calls /up twice for a request, over a connection that its thread keeps.
require 'net/http'

run(lambda do |env|
  http = Thread.current[:upstream] ||= Net::HTTP.start('127.0.0.1', ENV.fetch('UPSTREAM').to_i)
  id = env['QUERY_STRING'].delete_prefix('id=')
  body = Array.new(2) { http.get("/up?id=#{id}").body }.join
  [200, { 'content-length' => body.bytesize.to_s }, [body]]
end)
