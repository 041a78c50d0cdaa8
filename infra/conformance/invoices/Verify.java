// Whether PDFs are PDF/A-3a and PDF/UA-1, by veraPDF: one line for each file and profile.
//
// Usage: java -cp JARS Verify.java FILE...

import java.io.FileInputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;

class Verify {
    static final PDFAFlavour[] PROFILES = {PDFAFlavour.PDFA_3_A, PDFAFlavour.PDFUA_1};
    // Rules that are named for a file that fails.
    static final int SHOWN_MAX = 5;

    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        for (var file : files) {
            for (var profile : PROFILES) {
                try (var content = new FileInputStream(file);
                        var parser = Foundries.defaultInstance().createParser(content, profile);
                        var validator = Foundries.defaultInstance().createValidator(profile, false)) {
                    var result = validator.validate(parser);
                    var verdict = result.isCompliant() ? "pass" : "fail";
                    System.out.printf("%s\t%s\t%d\t%s%n", verdict, profile.getId(), result.getTotalAssertions(), file);
                    result.getTestAssertions().stream()
                            .filter(assertion -> assertion.getStatus() == TestAssertion.Status.FAILED)
                            .limit(SHOWN_MAX)
                            .forEach(assertion -> System.err.printf(
                                    "%s: %s %s%n", file, assertion.getRuleId(), assertion.getMessage()));
                }
            }
        }
    }
}
