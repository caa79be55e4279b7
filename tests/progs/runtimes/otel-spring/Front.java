// SPDX-License-Identifier: Apache-2.0
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

/**
 * Front PORT UPSTREAM WORKERS MODE: Spring Boot on Tomcat, with OpenTelemetry's agent for Java.
 *
 *   two   two calls, one after the other
 *   pool  the two calls by a pool of WORKERS threads that all requests share
 */
@RestController
@EnableAutoConfiguration
public class Front {
	private static String upstream, mode;
	private static ExecutorService pool;
	private final RestTemplate client = new RestTemplate();

	private String call(String id, int n) {
		return client.getForObject("http://127.0.0.1:" + upstream + "/up?id=" + id + "&n=" + n, String.class);
	}

	@GetMapping("/a")
	public String a(@RequestParam String id) throws Exception {
		for (int n : List.of(1, 2)) {
			int number = n;

			if (mode.equals("pool"))
				pool.submit(() -> call(id, number)).get();
			else
				call(id, number);
		}
		return "ok";
	}

	public static void main(String[] args) {
		upstream = args[1];
		mode = args[3];
		pool = Executors.newFixedThreadPool(Integer.parseInt(args[2]));

		SpringApplication server = new SpringApplication(Front.class);

		server.setDefaultProperties(Map.of("server.port", args[0], "server.address", "127.0.0.1",
			"spring.main.banner-mode", "off", "logging.level.root", "warn", "server.tomcat.max-keep-alive-requests", "-1"));
		server.run();
	}
}
