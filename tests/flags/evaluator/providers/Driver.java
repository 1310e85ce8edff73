// Drives the stock Java provider: one command per line in, one answer per line out, their parts
// separated by tabs.  open NAME URL TOKEN | value NAME TYPE FLAG DEFAULT KEY [ATTRIBUTE VALUE]… | close NAME
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.Client;
import dev.openfeature.sdk.FlagEvaluationDetails;
import dev.openfeature.sdk.MutableContext;
import dev.openfeature.sdk.OpenFeatureAPI;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

public class Driver {
  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String answer;
      try {
        answer = answer(line.split("\t", -1));
      } catch (Exception error) {
        answer = "failed\t" + error;
      }
      System.out.println(answer);
    }
    System.exit(0);
  }

  static String answer(String[] asked) throws Exception {
    OpenFeatureAPI api = OpenFeatureAPI.getInstance();
    if (asked[0].equals("open")) {
      var key = ImmutableMap.of("X-API-Key", ImmutableList.of(asked[3]));
      var options = OfrepProviderOptions.builder().baseUrl(asked[2]).headers(key).build();
      api.setProviderAndWait(asked[1], OfrepProvider.constructProvider(options));
      return "opened";
    }
    Client client = api.getClient(asked[1]);
    MutableContext context = new MutableContext(asked[5]);
    for (int at = 6; at + 1 < asked.length; at += 2) context.add(asked[at], asked[at + 1]);
    FlagEvaluationDetails<?> details = asked[2].equals("boolean")
        ? client.getBooleanDetails(asked[3], Boolean.valueOf(asked[4]), context)
        : client.getStringDetails(asked[3], asked[4], context);
    var error = details.getErrorCode() == null ? "" : details.getErrorCode().toString();
    return details.getValue() + "\t" + error;
  }
}
