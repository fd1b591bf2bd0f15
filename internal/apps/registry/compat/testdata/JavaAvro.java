import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.generic.*;
import org.apache.avro.io.*;

/**
 * What Apache Avro for Java says of a pair of schemas. A line of the input is: reader, writer, records in base64 and separated by commas,
 * an example in JSON or "-"; a line of the output: the verdict, its incompatibilities, what became of the records and of the example.
 */
public class JavaAvro {
  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line; (line = in.readLine()) != null; ) {
      out.println(answer(line.split("\t", -1)).replaceAll("[\\r\\n]", " "));
    }
  }

  static String answer(String[] cell) {
    Schema reader, writer;
    try {
      reader = new Schema.Parser().parse(cell[0]);
      writer = new Schema.Parser().parse(cell[1]);
    } catch (Exception | StackOverflowError e) {
      return "REFUSED\t" + e.getMessage() + "\t\t";
    }
    var result = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult();
    var why = new StringJoiner(", ");
    result.getIncompatibilities().forEach(i -> why.add(i.getType() + " " + i.getLocation()));
    var records = new StringJoiner(",");
    for (String record : cell[2].isEmpty() ? new String[0] : cell[2].split(",")) {
      records.add(read(reader, writer, Base64.getDecoder().decode(record)));
    }
    return result.getCompatibility() + "\t" + why + "\t" + records + "\t" + example(reader, writer, cell[3]);
  }

  static String read(Schema reader, Schema writer, byte[] record) {
    try {
      var decoder = DecoderFactory.get().binaryDecoder(record, null);
      new GenericDatumReader<Object>(writer, reader).read(null, decoder);
      return decoder.isEnd() ? "read" : "bytes left";
    } catch (Exception | StackOverflowError e) {
      return e.getClass().getSimpleName();
    }
  }

  static String example(Schema reader, Schema writer, String json) {
    if (json.equals("-")) {
      return "-";
    }
    try {
      Object datum = new GenericDatumReader<Object>(writer).read(null, DecoderFactory.get().jsonDecoder(writer, json));
      var bytes = new ByteArrayOutputStream();
      var encoder = EncoderFactory.get().binaryEncoder(bytes, null);
      new GenericDatumWriter<Object>(writer).write(datum, encoder);
      encoder.flush();
      return read(reader, writer, bytes.toByteArray());
    } catch (Exception e) {
      return "no record: " + e;
    }
  }
}
