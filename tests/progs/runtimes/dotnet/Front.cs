// SPDX-License-Identifier: Apache-2.0
//
// Front PORT UPSTREAM WORKERS MODE: .NET: sockets and HttpClient with async/await, on the thread pool.
//
// plain    a request's task calls by HttpClient and answers
// sync     a thread for each connection calls by HttpClient and waits for the result
using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

static class Front
{
	static readonly HttpClient client = new HttpClient();
	static readonly byte[] ok = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	static string up;

	static Task<string> Call(string id)
	{
		return client.GetStringAsync(up + "?id=" + id);
	}

	// The id of a request that has come whole; null: there is more of it.
	static string IdOf(byte[] buffer, int n)
	{
		string text = Encoding.ASCII.GetString(buffer, 0, n);
		int at = text.IndexOf("id=", StringComparison.Ordinal);

		return text.EndsWith("\r\n\r\n", StringComparison.Ordinal) ? text.Substring(at + 3, text.IndexOf(' ', at) - at - 3) : null;
	}

	static async Task Serve(Socket s)
	{
		byte[] buffer = new byte[8192];
		int n = 0, got;

		using (NetworkStream stream = new NetworkStream(s, true))
			while ((got = await stream.ReadAsync(buffer, n, buffer.Length - n)) > 0) {
				string id = IdOf(buffer, n += got);

				if (id == null)
					continue;
				n = 0;
				if (await Call(id) != "ok")
					throw new Exception(id);
				await stream.WriteAsync(ok, 0, ok.Length);
			}
	}

	static void ServeAlone(object o)
	{
		Socket s = (Socket)o;
		byte[] buffer = new byte[8192];
		int n = 0, got;

		while ((got = s.Receive(buffer, n, buffer.Length - n, SocketFlags.None)) > 0) {
			string id = IdOf(buffer, n += got);

			if (id == null)
				continue;
			n = 0;
			if (Call(id).Result != "ok")
				throw new Exception(id);
			s.Send(ok);
		}
		s.Dispose();
	}

	static int Main(string[] args)
	{
		Socket l = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

		up = "http://127.0.0.1:" + args[1] + "/up";
		l.Bind(new IPEndPoint(IPAddress.Loopback, int.Parse(args[0])));
		l.Listen(512);
		for (;;) {
			Socket s = l.Accept();

			s.NoDelay = true;
			if (args[3] == "sync")
				new Thread(ServeAlone).Start(s);
			else
				Task.Run(() => Serve(s));
		}
	}
}
