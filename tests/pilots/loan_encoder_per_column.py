# One LabelEncoder refitted for each column; several models in a loop over a dict; fills by mode in place.

# %% [markdown]
# # Loan prediction

# %%
import pandas as pd
import numpy as np
import matplotlib.pyplot as plt

# %%
data = pd.read_csv('loan_train.csv')
data.head(3)

# %%
data.Loan_Status.value_counts(normalize=True)

# %%
pd.crosstab(data.Credit_History, data.Loan_Status).plot(kind='bar', stacked=True)
plt.show()

# %%
data.isna().sum()

# %%
# fill the categories with the most frequent one
for col in ['Gender', 'Married', 'Dependents', 'Self_Employed', 'Credit_History', 'Loan_Amount_Term']:
    data[col] = data[col].fillna(data[col].mode()[0])

# %%
data['LoanAmount'] = data['LoanAmount'].fillna(data['LoanAmount'].median())

# %%
data['LoanAmount_log'] = np.log(data['LoanAmount'])
data['LoanAmount_log'].hist(bins=20)

# %%
data['TotalIncome'] = data['ApplicantIncome'] + data['CoapplicantIncome']
data['TotalIncome_log'] = np.log(data['TotalIncome'])

# %%
data['Dependents'] = data['Dependents'].replace('3+', 3)
data['Dependents'] = data['Dependents'].astype(int)

# %%
from sklearn.preprocessing import LabelEncoder
le = LabelEncoder()
cols = ['Gender', 'Married', 'Education', 'Self_Employed', 'Property_Area', 'Loan_Status']
for col in cols:
    data[col] = le.fit_transform(data[col])
data.head()

# %%
data.drop(columns=['Loan_ID', 'ApplicantIncome', 'CoapplicantIncome', 'LoanAmount', 'TotalIncome'], inplace=True)

# %%
X = data.drop(columns=['Loan_Status'])
Y = data['Loan_Status']

# %%
from sklearn.model_selection import train_test_split
x_train, x_test, y_train, y_test = train_test_split(X, Y, test_size=0.25, stratify=Y, random_state=7)

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.metrics import accuracy_score, f1_score

models = {
    'logistic': LogisticRegression(max_iter=2000),
    'tree': DecisionTreeClassifier(max_depth=4, random_state=1),
    'forest': RandomForestClassifier(n_estimators=40, random_state=1),
    'knn': KNeighborsClassifier(),
}
scores = {}
for name, model in models.items():
    model.fit(x_train, y_train)
    pred = model.predict(x_test)
    scores[name] = accuracy_score(y_test, pred)
    print(name, scores[name], f1_score(y_test, pred))

# %%
plt.bar(list(scores), list(scores.values()))

# %%
best = max(scores, key=scores.get)
print('best model:', best)
