// Three steps of one run; start it again after any kill. JNA: one jar, no C; for Java 11 and newer.
//   java -Djna.encoding=UTF-8 -cp jna.jar Steps.java <libsmolwf.so> <file of the store>
import com.sun.jna.*;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.PointerByReference;
import java.util.Scanner;

public class Steps {
    public interface Smolwf extends Library { // a size_t is a long of 64 bits; whoever reads a text frees its owner after
        int NONE = 1, REPLAYED = 3, ABI_VERSION = 0, ID_CAP = 64;
        long NTS = -1;
        String sw_code_name(int code);
        String sw_error_message(Pointer error);
        int sw_abi_check(int headerAbi);
        int sw_json_quote(byte[] text, long len, PointerByReference out, PointerByReference err);
        String sw_text_data(Pointer text, Pointer outLen);
        void sw_text_free(Pointer text);
        int sw_store_open(String path, Pointer options, PointerByReference out, PointerByReference err);
        int sw_store_init(Pointer store, int[] outApplied, PointerByReference err);
        void sw_store_close(Pointer store);
        int sw_run_submit(Pointer store, String workflow, long len, String args, long argsLen, Submit options,
            byte[] outRunId, long cap, PointerByReference err);
        int sw_run_claim(Pointer store, String queue, long len, Claim options, PointerByReference out,
            PointerByReference err);
        int sw_step_begin(Pointer attempt, String name, long len, String input, long inputLen, Pointer options,
            PointerByReference out, PointerByReference err);
        String sw_step_result(Pointer step, Pointer outLen);
        int sw_step_complete(Pointer step, String result, long len, PointerByReference err);
        void sw_step_free(Pointer step);
        int sw_attempt_complete(Pointer attempt, String result, long len, PointerByReference err);
        void sw_attempt_free(Pointer attempt);
    }

    // A struct may be shorter than the library's: the rest counts as zeros. So only its beginning is laid out.
    @FieldOrder({"size", "flags", "queue", "queueLen", "runAt", "timeout", "backoff", "backoffMax", "priority", "tries",
        "percent", "reserved", "key", "keyLen"})
    public static class Submit extends Structure {
        public int size = size(), flags, priority, tries, percent, reserved;
        public long queueLen, runAt, timeout, backoff, backoffMax, keyLen = Smolwf.NTS;
        public String queue, key;
    }

    @FieldOrder({"size", "flags", "waitMs"})
    public static class Claim extends Structure {
        public int size = size(), flags;
        public long waitMs;
    }

    static Smolwf sw;
    static final PointerByReference err = new PointerByReference(), out = new PointerByReference();

    static int ok(int code) { // 0 and above are answers, below 0 are errors
        if (code >= 0) return code;
        throw new IllegalStateException(sw.sw_code_name(code) + ": " + sw.sw_error_message(err.getValue()));
    }

    static String quote(String text) {
        byte[] bytes = text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
        ok(sw.sw_json_quote(bytes, bytes.length, out, err));
        String copy = sw.sw_text_data(out.getValue(), null);
        sw.sw_text_free(out.getValue());
        return copy;
    }

    public static void main(String[] args) {
        sw = Native.load(args[0], Smolwf.class);
        if (sw.sw_abi_check(Smolwf.ABI_VERSION) != 0) throw new IllegalStateException("the library does not fit this program");
        ok(sw.sw_store_open(args[1], null, out, err));
        Pointer store = out.getValue();
        ok(sw.sw_store_init(store, new int[1], err));
        Submit once = new Submit();
        once.key = "letter 1";
        ok(sw.sw_run_submit(store, "letter", Smolwf.NTS, null, 0, once, new byte[Smolwf.ID_CAP], Smolwf.ID_CAP, err));
        Claim patient = new Claim();
        patient.waitMs = 1000;
        if (ok(sw.sw_run_claim(store, null, 0, patient, out, err)) == Smolwf.NONE) {
            System.out.println("nothing to do: the run has ended");
        } else {
            work(out.getValue());
        }
        sw.sw_store_close(store);
    }

    static void work(Pointer attempt) {
        Scanner lines = new Scanner(System.in);
        for (String name : new String[] {"outline", "draft", "letter"}) {
            int begun = ok(sw.sw_step_begin(attempt, name, Smolwf.NTS, null, 0, null, out, err));
            Pointer step = out.getValue();
            if (begun == Smolwf.REPLAYED) {
                System.out.println(name + ": replayed " + sw.sw_step_result(step, null));
            } else {
                String result = quote(lines.nextLine()); // stands for the call that costs money
                ok(sw.sw_step_complete(step, result, Smolwf.NTS, err));
                System.out.println(name + ": recorded " + result);
            }
            sw.sw_step_free(step);
        }
        ok(sw.sw_attempt_complete(attempt, "\"sent\"", Smolwf.NTS, err));
        sw.sw_attempt_free(attempt);
        System.out.println("the run is finished");
    }
}
