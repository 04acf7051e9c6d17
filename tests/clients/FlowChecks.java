import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;

/** What the two Java flows share: named checks and reading replies of CLIENT INFO. */
final class FlowChecks {
  static final int ALLOWED = 100;
  static final int WINDOW_SECONDS = 2;
  static final String COUNTER = "app:rate:client-9";
  static final String HOST = System.getenv("LARDER_HOST");
  static final int PORT = Integer.parseInt(System.getenv("LARDER_PORT"));
  static final String EXPECT_RESP = System.getenv("LARDER_EXPECT_RESP");
  static final boolean EXPECT_LIBRARY_NAME = "1".equals(System.getenv("LARDER_EXPECT_LIBRARY_NAME"));

  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
  private static int failed;

  private FlowChecks() {}

  interface Body {
    void run() throws Exception;
  }

  /** Runs one named check and prints how it went: that line is what the runner counts. */
  static void check(String name, Body body) {
    try {
      body.run();
      OUT.println("ok " + name);
    } catch (Throwable why) {
      failed++;
      StackTraceElement[] frames = why.getStackTrace();
      String text = why + " at " + (frames.length > 1 ? frames[1] : "?");
      OUT.println("fail " + name + ": " + text.replaceAll("\\s+", " "));
    }
  }

  static void equal(Object seen, Object expected) {
    if (!Objects.equals(seen, expected)) {
      throw new AssertionError(shorten(seen) + " is not " + shorten(expected));
    }
  }

  static void between(long seen, long low, long high) {
    if (seen < low || seen > high) {
      throw new AssertionError(seen + " is not within " + low + ".." + high);
    }
  }

  private static String shorten(Object value) {
    String text = String.valueOf(value);
    return text.length() > 200 ? text.substring(0, 200) + "..." : text;
  }

  /** CLIENT INFO is one line of name=value fields, separated by spaces. */
  static Map<String, String> infoFields(String line) {
    Map<String, String> fields = new HashMap<>();
    for (String word : line.trim().split(" ")) {
      int at = word.indexOf('=');
      if (at > 0) {
        fields.put(word.substring(0, at), word.substring(at + 1));
      }
    }
    return fields;
  }

  /** Every byte value, including NUL, CR LF and bytes that are no UTF-8. */
  static byte[] everyByte() {
    byte[] bytes = new byte[1024];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i * 7);
    }
    return bytes;
  }

  /** An application that reconnects may see the first request on a killed connection fail. */
  static <T> T retry(Callable<T> attempt) throws Exception {
    for (int left = 20; ; left--) {
      try {
        return attempt.call();
      } catch (Exception error) {
        if (left == 1) {
          throw error;
        }
        Thread.sleep(50);
      }
    }
  }

  static void finish() {
    OUT.println("end");
    System.exit(failed == 0 ? 0 : 1);
  }
}
